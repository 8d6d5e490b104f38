"""What members' logs say of each other, questioned and compared. Pure, apart from the asking."""
