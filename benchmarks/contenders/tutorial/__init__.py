"""The tutorial's Todo API, as a project of ours; `motia/` holds the same Steps for Motia 0.17."""
