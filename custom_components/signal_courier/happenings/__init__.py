"""What happens on Signal, in the form that automations see."""
