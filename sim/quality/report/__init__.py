"""What a data set looks like: a page with the charts that an analyst would draw, from the facts alone."""
