"""Sessions of any file of events, in as much memory as they are given."""

from gpu_pipeline.session_files.sessionizing import sessionize_file

__all__ = ["sessionize_file"]
