"""The state of a model in the middle of its training."""


def sync_state(model) -> None:
    """Makes the model's variables those that training has reached.

    Within `fit`, JAX holds the state outside the model; once it is inside, the next training step
    takes it from there.
    """
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
