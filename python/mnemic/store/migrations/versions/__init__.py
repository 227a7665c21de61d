"""One file per change of the schema, in order. What was released is never edited."""
