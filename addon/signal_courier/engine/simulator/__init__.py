"""A stand-in Signal network behind the engine's interface; `cast` says who lives in it."""

from signal_courier.engine.simulator.engine import Simulator, methods

__all__ = ["Simulator", "methods"]
