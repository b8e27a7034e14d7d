"""Everything that is received: from the engine to the store, and on to whoever follows."""
