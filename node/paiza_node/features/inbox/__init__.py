"""What an officer sees: lists, opening, submission, subscriptions and notices."""
