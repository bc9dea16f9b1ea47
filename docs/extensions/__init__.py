"""What the site adds to Sphinx and sphinx-gallery: one concern per file."""
