"""How well confidence separates right from wrong, and known from unknown inputs."""
