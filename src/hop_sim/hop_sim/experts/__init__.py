"""Scripted experts: they see the object, and act only through the interfaces that a policy has."""
