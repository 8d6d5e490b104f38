"""The officer's inbox: lists, opening, submission, subscriptions and notices."""
