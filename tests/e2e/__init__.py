"""The whole house from outside: one demonstration for all who can share it, a house of their own for all others."""
