//! nbclient as the oracle: the same notebook through both, compared cell by cell.
