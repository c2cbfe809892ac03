"""The ten results of the paper as studies."""
