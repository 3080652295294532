package evaluator

// About is what lists show of a pull request. Its JSON form is a part of those that are
// stored.
type About struct {
	// Owner and Name are those of the repository.
	Owner string `json:"owner,omitempty"`
	Name  string `json:"name,omitempty"`
	Title string `json:"title,omitempty"`
	// Author is a login.
	Author string `json:"author,omitempty"`
}

// maxShown is the largest length of a title that lists show, in bytes.
const maxShown = 500

func (s *scene) about() About {
	return About{Owner: s.repo.Owner, Name: s.repo.Name, Title: cut(s.pr.Title, maxShown), Author: s.pr.Author.Login}
}
