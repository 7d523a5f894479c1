"""A folder of somebody's recordings: paired with scores, checked, cut, split, told what is missing."""
