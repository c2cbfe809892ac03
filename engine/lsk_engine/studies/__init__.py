"""Many runs and one answer."""
