"""What the errors of a whole run have in common, searched in all that was asked, not in the last errors alone."""
