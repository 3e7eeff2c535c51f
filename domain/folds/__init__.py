"""How the Book follows its events, each subject in a file of its own."""
