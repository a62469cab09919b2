"""What two or more Xinjing services need in exactly the same form."""
