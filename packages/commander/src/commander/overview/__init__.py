"""The overview: the first page, with what is wrong now, the totals of both kinds of rig, and what changed lately."""
