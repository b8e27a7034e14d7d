"""How a number comes to this service: linked to a phone, or registered."""
