"""Two data sets side by side: what differs between them, by how much, and whether chance would do as much."""
