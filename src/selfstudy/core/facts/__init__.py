"""What sentences state that two of them can differ in: quantities with units, dates, denials."""
