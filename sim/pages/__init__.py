"""Pages: self-contained HTML files with tables and charts; a leaf room that knows nothing of simulations."""
