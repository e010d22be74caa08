"""A fleet in virtual time, through the real code that decides, stores and tells; everything around it goes wrong by a seed."""
