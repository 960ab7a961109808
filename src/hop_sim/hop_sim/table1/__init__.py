"""Table I of the paper on the twin: pretraining, finetuning and evaluation as one resumable run."""
