"""The machine that trains: devices and ranks, instruction sets, speed, requests to stop."""
