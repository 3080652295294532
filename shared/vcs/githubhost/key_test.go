package githubhost_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/infra/test/vcstest"
	"github.com/opsplane/opsplane/shared/vcs/githubhost"
	"github.com/opsplane/opsplane/shared/vcs/vcshost"
)

// lines replaces the line ends of a text by another text.
func lines(text, by string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", by)
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestKeyIsReadInEveryFormThatMeansOneThing(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(private)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file, other := pemOf("RSA PRIVATE KEY", pkcs1), pemOf("PRIVATE KEY", pkcs8)
	for form, text := range map[string]string{
		"file":                               file,
		"file of the other kind":             other,
		"with the ends of lines of Windows":  lines(file, "\r\n"),
		"behind a byte order mark":           "\ufeff" + file,
		"with spaces around":                 "\n  " + file + "\n\n",
		"literal \\n":                        lines(file, `\n`),
		"literal \\r\\n":                     lines(file, `\r\n`) + `\r\n`,
		"in one line, with spaces":           lines(file, " "),
		"in one line, without":               lines(file, ""),
		"in one line, of the other kind":     lines(other, " "),
		"quoted":                             `"` + file + `"`,
		"quoted once":                        "'" + file + "'",
		"a JSON string":                      quoted(file),
		"literal \\n, quoted":                `"` + lines(file, `\n`) + `"`,
		"literal \\n, quoted once":           "'" + lines(file, `\n`) + "'",
		"literal \\n in a JSON string":       quoted(lines(file, `\n`)),
		"base64 of the file":                 base64.StdEncoding.EncodeToString([]byte(file)),
		"base64 of the file, in lines":       wrapped(base64.StdEncoding.EncodeToString([]byte(file))),
		"base64 of the file, for addresses":  base64.URLEncoding.EncodeToString([]byte(file)),
		"base64 of the file, without equals": base64.RawStdEncoding.EncodeToString([]byte(file)),
		"base64 of the file, quoted":         quoted(base64.StdEncoding.EncodeToString([]byte(file))),
		"base64 of literal \\n":              base64.StdEncoding.EncodeToString([]byte(lines(file, `\n`))),
		"base64 of the key":                  base64.StdEncoding.EncodeToString(pkcs1),
		"base64 of the key, the other kind":  base64.StdEncoding.EncodeToString(pkcs8),
		"the middle of the file":             strings.Join(strings.Split(strings.TrimSpace(file), "\n")[1:26], "\n"),
	} {
		if got, err := githubhost.ReadKey(text); err != nil || !got.Equal(private) {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// wrapped splits a text into lines, as the program base64 does.
func wrapped(text string) string {
	var b strings.Builder
	for ; len(text) > 76; text = text[76:] {
		b.WriteString(text[:76] + "\n")
	}
	return b.String() + text
}

func TestKeyThatIsNoneIsSaidToBeWhatItIs(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	host.Install("42", repositories(1)...)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimSpace(host.Key)
	rows := strings.Split(file, "\n")
	for name, c := range map[string]struct{ text, want string }{
		"empty":                      {" \n", "it is empty"},
		"words":                      {"the secret text!", "neither PEM nor a key in base64"},
		"base64 of words":            {"c2VjcmV0LXRleHQ=", "neither PEM nor a key in base64"},
		"id of the App":              {"1001", "neither PEM nor a key in base64"},
		"a JSON object":              {`{"key":` + quoted(file) + `}`, "JSON object"},
		"the end is missing":         {strings.Join(rows[:len(rows)-1], "\n"), "its end is missing"},
		"the start is missing":       {strings.Join(rows[1:], "\n"), "its beginning is missing"},
		"a line is missing":          {strings.Join(append(append([]string{}, rows[:5]...), rows[6:]...), "\n"), "damaged, or not whole"},
		"no base64 within":           {rows[0] + "\n!!!!\n" + rows[len(rows)-1], "no base64"},
		"public key":                 {pemOf("PUBLIC KEY", []byte("x")), "it is a PUBLIC KEY, not an RSA private key"},
		"certificate":                {pemOf("CERTIFICATE", []byte("x")), "it is a CERTIFICATE"},
		"key for SSH":                {pemOf("OPENSSH PRIVATE KEY", []byte("x")), "it is a OPENSSH PRIVATE KEY"},
		"key of a curve":             {pemOf("EC PRIVATE KEY", sec1), "it is a EC PRIVATE KEY"},
		"key of a curve, as PKCS #8": {pemOf("PRIVATE KEY", pkcs8), "it is no RSA key"},
		"encrypted":                  {pemOf("ENCRYPTED PRIVATE KEY", []byte("x")), "encrypted with a password"},
		"encrypted, the old way":     {strings.Replace(file, "\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1), "encrypted with a password"},
		"two keys":                   {file + "\n" + file, "2 keys or certificates"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return c.text, nil }, host.API)
			_, err := app.Open(t.Context(), "42")
			var key *vcshost.KeyError
			if !errors.As(err, &key) || !strings.Contains(key.Why, c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			for _, row := range append(rows[1:len(rows)-1], "secret text", "c2VjcmV0LXRleHQ") {
				if err != nil && strings.Contains(err.Error(), row) {
					t.Errorf("the error has a part of what is stored: %v", err)
				}
			}
		})
	}
	t.Cleanup(func() {
		if n := host.Asked(""); n != 0 {
			t.Errorf("the host was asked %d times", n)
		}
	})
}

func TestAppWorksWithAKeyOfAnotherForm(t *testing.T) {
	t.Parallel()
	host := vcstest.NewGitHub(t)
	host.Install("42", repositories(1)...)
	stored := `"` + lines(host.Key, `\n`) + `"`
	app := githubhost.New(strconv.Itoa(vcstest.AppID), func(context.Context) (string, error) { return stored, nil }, host.API)
	got, err := open(t, app, "42").Repositories(t.Context(), 1, 100)
	if err != nil || len(got.Repositories) != 1 {
		t.Fatalf("%d repositories, %v", len(got.Repositories), err)
	}
	if _, err := open(t, app, "42").OwnRepository(t.Context(), got.Repositories[0].ID); err != nil {
		t.Errorf("as the App: %v", err)
	}
}
