"""Quality: what contracts ask, asked of rows, files and tables; what was measured is kept."""
