package standing

// Limited returns the lists with pages that end after a few rows.
func (l Lists) Limited(rows int) Lists {
	l.rows = rows
	return l
}
