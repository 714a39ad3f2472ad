"""What is wrong with documents and passages: what repeats, is outdated, is noise, contradicts, or must not stay here."""
