"""Executors that train the runs of a study: local processes, a Dask cluster, this process."""
