"""Hands the build to setuptools: everything is declared in setup.cfg."""

from setuptools import setup

setup()
