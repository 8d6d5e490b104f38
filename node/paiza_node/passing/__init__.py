"""What happens to a message after it was sent: passed on, taken out, recalled, corrected; and who holds it."""
