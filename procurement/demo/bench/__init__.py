"""The bench: how long the busy pages take, how often they ask the database, and how much they weigh."""
