"""Voices for other players: banks for OpenUtau, and servers that speak editors' protocols."""
