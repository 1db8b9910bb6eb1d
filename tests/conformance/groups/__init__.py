"""The cases, one or more files a group."""
