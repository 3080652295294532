package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/opsplane/opsplane/shared/api/access"
	"github.com/opsplane/opsplane/shared/kv"
)

func TestSetAndGet(t *testing.T) {
	r := newRig(t)
	r.want(t, "GET", "/key/a", "", 404, "")
	r.want(t, "PUT", "/key/a", `{"data":{"b":"x","a":1e0}}`, 200, rec(true, `null`, 0, "a", 18, 0))
	r.want(t, "GET", "/key/a", "", 200, rec(true, `{"a":1,"b":"x"}`, 0, "a", 18, 0))
	r.want(t, "PUT", "/key/a", `{"data":null,"idx":0}`, 200, rec(true, `null`, 0, "a", 4, 1))
	r.want(t, "GET", "/key/a?committed=true", "", 200, rec(true, `null`, 0, "a", 4, 1))
	r.want(t, "PUT", "/key/a", `{"data":1,"idx":-5}`, 200, rec(true, `null`, -5, "a", 1, 0))
	r.want(t, "GET", "/key/a?idx=-5", "", 200, rec(true, `1`, -5, "a", 1, 0))
	r.want(t, "GET", "/key/a?idx=1", "", 404, "")
	r.want(t, "GET", "/api/v1/gitlab/kv/1/key/a", "", 403, "")
}

func TestDraftsShowOnlyWhenAskedFor(t *testing.T) {
	r := newRig(t)
	r.want(t, "PUT", "/key/d", `{"data":[1,2],"committed":false}`, 200, rec(false, `null`, 0, "d", 6, 0))
	for _, target := range []string{"/key/d", "/count/key/d", "/size/key/d", "/size/key/d?idx=0"} {
		r.want(t, "GET", target, "", 404, "")
		r.want(t, "GET", target+map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")]+"committed=true", "", 404, "")
	}
	r.want(t, "GET", "/iter/d", "", 200, `{"results":[]}`)
	r.want(t, "GET", "/key/d?committed=false", "", 200, rec(false, `[1,2]`, 0, "d", 6, 0))
	r.want(t, "GET", "/count/key/d?committed=false", "", 200, `{"count":1,"max_idx":0}`)
	r.want(t, "GET", "/size/key/d?committed=false", "", 200, `{"size":6}`)
	r.want(t, "PUT", "/cas/key/d", `{"data":1}`, 400, "")
	r.want(t, "POST", "/commit", `{"keys":[{"key":"d"},{"key":"d","idx":0},{"key":"none"}]}`, 200, `{"keys":[{"idx":0,"key":"d"}]}`)
	r.want(t, "POST", "/commit", `{"keys":[{"key":"d"}]}`, 200, `{"keys":[]}`)
	r.want(t, "GET", "/key/d", "", 200, rec(true, `[1,2]`, 0, "d", 6, 0))
}

func TestCompareAndSet(t *testing.T) {
	r := newRig(t)
	r.want(t, "PUT", "/cas/key/c", `{"data":1,"version":0}`, 400, "")
	r.want(t, "PUT", "/cas/key/c", `{"data":1}`, 200, rec(true, `null`, 0, "c", 1, 0))
	r.want(t, "PUT", "/cas/key/c", `{"data":2}`, 400, "")
	r.want(t, "PUT", "/cas/key/c", `{"data":2,"version":1}`, 400, "")
	r.want(t, "PUT", "/cas/key/c", `{"data":22,"version":0,"committed":false}`, 200, rec(false, `null`, 0, "c", 2, 1))
	r.want(t, "PUT", "/cas/key/c", `{"data":3,"idx":7}`, 200, rec(true, `null`, 7, "c", 1, 0))
	r.want(t, "GET", "/count/key/c?committed=false", "", 200, `{"count":2,"max_idx":7}`)
	r.want(t, "GET", "/size/key/c?committed=false", "", 200, `{"size":3}`)
	r.want(t, "GET", "/size/key/c?idx=7", "", 200, `{"size":1}`)
}

func TestDelete(t *testing.T) {
	r := newRig(t)
	for idx := range 4 {
		r.want(t, "PUT", "/key/x", fmt.Sprintf(`{"data":1,"idx":%d}`, idx), 200, rec(true, `null`, idx, "x", 1, 0))
	}
	r.want(t, "PUT", "/key/x", `{"data":1,"idx":3}`, 200, rec(true, `null`, 3, "x", 1, 1))
	r.want(t, "DELETE", "/key/x?idx=9", "", 200, `{"result":false}`)
	r.want(t, "DELETE", "/key/x?idx=1&version=1", "", 200, `{"result":false}`)
	r.want(t, "DELETE", "/key/x?idx=1&version=0", "", 200, `{"result":true}`)
	r.want(t, "DELETE", "/key/x?version=1", "", 200, `{"result":true}`)
	r.want(t, "GET", "/count/key/x", "", 200, `{"count":2,"max_idx":2}`)
	r.want(t, "DELETE", "/key/x", "", 200, `{"result":true}`)
	r.want(t, "DELETE", "/key/x", "", 200, `{"result":false}`)
	r.want(t, "GET", "/count/key/x", "", 404, "")
	r.want(t, "PUT", "/key/x", `{"data":1}`, 200, rec(true, `null`, 0, "x", 1, 0))
}

func TestRowCapabilities(t *testing.T) {
	r := newRig(t)
	system := r.as(member(access.KVStoreSystemRead, access.KVStoreSystemWrite))
	const caps = `"read_caps":["kv_store_system_read"],"write_caps":[{"name":"installation_id","id":"7"}]`
	r.want(t, "PUT", "/key/p", `{"data":1,"read_caps":[],"write_caps":null}`, 200,
		`{"committed":true,"created_at":"~","data":null,"idx":0,"key":"p","read_caps":[],"size":1,"version":0}`)
	r.want(t, "GET", "/key/p", "", 200,
		`{"committed":true,"created_at":"~","data":1,"idx":0,"key":"p","read_caps":[],"size":1,"version":0}`)
	r.want(t, "PUT", "/key/p", `{"data":2,`+caps+`}`, 200,
		`{"committed":true,"created_at":"~","data":null,"idx":0,"key":"p","read_caps":["kv_store_system_read"],"size":1,"version":1,"write_caps":[{"name":"installation_id","id":"7"}]}`)
	r.want(t, "GET", "/key/p", "", 404, "")
	r.want(t, "GET", "/iter/p", "", 200, `{"results":[]}`)
	r.want(t, "GET", "/count/key/p", "", 404, "")
	r.want(t, "PUT", "/key/p", `{"data":3}`, 403, "")
	r.want(t, "PUT", "/cas/key/p", `{"data":3,"version":1}`, 400, "")
	r.want(t, "DELETE", "/key/p", "", 200, `{"result":false}`)
	system.want(t, "GET", "/count/key/p", "", 200, `{"count":1,"max_idx":0}`)
	system.want(t, "PUT", "/key/p", `{"data":3}`, 403, "")
	holder := r.as(member(access.Installation("7"), access.Installation("1")))
	holder.want(t, "PUT", "/key/p", `{"data":3}`, 200, rec(true, `null`, 0, "p", 1, 2))
}

func TestSelect(t *testing.T) {
	r := newRig(t)
	r.want(t, "PUT", "/key/s", `{"data":{"a":{"b":[10,20]},"odd,key":true}}`, 200, rec(true, `null`, 0, "s", 39, 0))
	for query, data := range map[string]string{
		"select=x%3Da.b%5B1%5D":           `{"x":20}`,
		"select=x=a.b[1],y=a.none":        `{"x":20,"y":null}`,
		"select=x=a.b[1]&select=y=a.b[0]": `{"x":20,"y":10}`,
		`select=x="odd,key",y=a.b`:        `{"x":true,"y":[10,20]}`,
		"select=":                         `{}`,
	} {
		query = strings.ReplaceAll(query, `"`, "%22")
		r.want(t, "GET", "/key/s?"+query, "", 200, rec(true, data, 0, "s", 39, 0))
		if !strings.Contains(query, "include_data") {
			r.want(t, "GET", "/iter/s?"+query, "", 200, `{"results":[`+rec(true, data, 0, "s", 39, 0)+`]}`)
		}
	}
	for _, route := range []string{"/key/s", "/iter/s"} {
		r.refused(t, "GET", route+"?select=x", "", "INVALID_SELECT", "alias=path")
		r.refused(t, "GET", route+"?select=x=a.**", "", "INVALID_SELECT", "[*]")
	}
}

func TestBadInputIsRefusedWithItsReason(t *testing.T) {
	r := newRig(t)
	long := "/key/" + strings.Repeat("k", kv.MaxKeyBytes+1)
	tooMany := `{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"key":"%d"},`, kv.MaxCommitKeys+1), ",") + `]}`
	numbers := make([]any, kv.MaxCommitKeys+1)
	for i := range numbers {
		numbers[i] = i
	}
	for _, c := range []struct{ method, target, body, id, says string }{
		{"GET", "/key/a?idx=32768", "", "INVALID_PARAMETER", "-32768 to 32767"},
		{"GET", "/key/a?idx=", "", "INVALID_PARAMETER", "idx"},
		{"GET", "/key/a?idx=1.5", "", "INVALID_PARAMETER", "idx"},
		{"GET", "/key/a?committed=1", "", "INVALID_PARAMETER", "committed must be true or false"},
		{"GET", "/key/a#b", "", "INVALID_PATH", "percent-encoding"},
		{"GET", "/key/%zz", "", "INVALID_PATH", "percent-encoding"},
		{"GET", "/key/%ff", "", "INVALID_KEY", "UTF-8"},
		{"GET", "/key/%ED%A0%80", "", "INVALID_KEY", "UTF-8"},
		{"GET", long, "", "KEY_TOO_LONG", "1000"},
		{"DELETE", long, "", "KEY_TOO_LONG", "1000"},
		{"PUT", long, `{"data":1}`, "KEY_TOO_LONG", "1000"},
		{"GET", "/count/key/a?committed=yes", "", "INVALID_PARAMETER", "committed"},
		{"GET", "/size/key/a?idx=x", "", "INVALID_PARAMETER", "idx"},
		{"DELETE", "/key/a?version=-1", "", "INVALID_PARAMETER", "version must be a whole number from 0 to 32767"},
		{"DELETE", "/key/a?idx=99999", "", "INVALID_PARAMETER", "idx"},
		{"PUT", "/key/a", ``, "INVALID_BODY", "body is empty"},
		{"PUT", "/key/a", `[]`, "INVALID_BODY", "JSON object"},
		{"PUT", "/key/a", `null`, "INVALID_BODY", `"data" is required`},
		{"PUT", "/key/a", `{}`, "INVALID_BODY", `"data" is required`},
		{"PUT", "/key/a", `{"DATA":1}`, "UNKNOWN_MEMBER", `did you mean data?`},
		{"PUT", "/key/a", `{"data":1,"comitted":false}`, "UNKNOWN_MEMBER", `"comitted" is unknown here; did you mean committed?`},
		{"PUT", "/key/a", `{"data":1,"committed":true,"committed":false}`, "INVALID_BODY", `"committed" is there twice`},
		{"PUT", "/key/a", `{"data":1,"Committed":false}`, "UNKNOWN_MEMBER", `did you mean committed?`},
		{"PUT", "/key/a?comitted=false", `{"data":1}`, "UNKNOWN_PARAMETER", `takes no parameters`},
		{"PUT", "/cas/key/a", `{"data":1,"verison":3}`, "UNKNOWN_MEMBER", `did you mean version?`},
		{"POST", "/commit", `{"keys":[{"key":"a","index":1}]}`, "UNKNOWN_MEMBER", `"keys.index" is unknown here`},
		{"POST", "/commit", `{"keys":[{"key":"a","idx":1,"idx":2}]}`, "INVALID_BODY", `"keys.idx" is there twice`},
		{"PUT", "/key/a", `{"data":1,"read_caps":[{"name":"vcs","vcs":"github","vcs":"gitlab"}]}`, "INVALID_CAPABILITY", "github"},
		{"GET", "/key/a?comitted=false", "", "UNKNOWN_PARAMETER", `did you mean committed?`},
		{"GET", "/key/a?committed=false&committed=true", "", "INVALID_PARAMETER", `committed is there 2 times`},
		{"DELETE", "/key/a?indx=1", "", "UNKNOWN_PARAMETER", `did you mean idx?`},
		{"PUT", "/key/a", `{"data":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`, "JSON_TOO_DEEP", "256 deep"},
		{"PUT", "/key/a", `{"data":"\u0000"}`, "INVALID_JSON", "cannot be stored"},
		{"PUT", "/key/a", `{"data":"\ud800"}`, "INVALID_JSON", "surrogate"},
		{"PUT", "/key/a", `{"data":1e1000}`, "NUMBER_TOO_LONG", "1000 digits"},
		{"PUT", "/key/a", `{"data":1,"idx":-32769}`, "INVALID_BODY", "-32768 to 32767"},
		{"PUT", "/key/a", `{"data":1,"idx":"1"}`, "INVALID_BODY", "idx"},
		{"PUT", "/key/a", `{"data":1,"idx":null}`, "INVALID_BODY", "idx"},
		{"PUT", "/key/a", `{"data":1,"idx":1.5}`, "INVALID_BODY", "idx"},
		{"PUT", "/key/a", `{"data":1,"committed":"true"}`, "INVALID_BODY", "true or false"},
		{"PUT", "/key/a", `{"data":1,"read_caps":"kv_store_read"}`, "INVALID_BODY", "read_caps"},
		{"PUT", "/key/a", `{"data":1,"write_caps":[null]}`, "INVALID_CAPABILITY", "null"},
		{"PUT", "/key/a", `{"data":1,"write_caps":["root"]}`, "INVALID_CAPABILITY", "root"},
		{"PUT", "/key/a", `{"data":1,"write_caps":[` + strings.Repeat(`"kv_store_read",`, 32) + `"kv_store_read"]}`, "TOO_MANY_CAPABILITIES", "32"},
		{"PUT", "/cas/key/a", `{"data":1,"version":-1}`, "INVALID_BODY", "0 to 32767"},
		{"PUT", "/cas/key/a", `{"data":1,"version":"0"}`, "INVALID_BODY", "version"},
		{"PUT", "/cas/key/a", `{"data":1,"version":null}`, "INVALID_BODY", "version"},
		{"POST", "/commit", ``, "INVALID_BODY", "body is empty"},
		{"POST", "/commit", `{}`, "INVALID_BODY", `"keys" is required`},
		{"POST", "/commit", `{"keys":null}`, "INVALID_BODY", `"keys" is required`},
		{"POST", "/commit", `{"keys":{}}`, "INVALID_BODY", `"keys" is required`},
		{"POST", "/commit", `{"keys":[null]}`, "INVALID_BODY", "must be an object"},
		{"POST", "/commit", `{"keys":["a"]}`, "INVALID_BODY", "must be an object"},
		{"POST", "/commit", `{"keys":[{"idx":1}]}`, "INVALID_BODY", `"keys.key" is required`},
		{"POST", "/commit", `{"keys":[{"key":1}]}`, "INVALID_BODY", "must be a string"},
		{"POST", "/commit", `{"keys":[{"key":"\ud800"}]}`, "INVALID_BODY", "valid characters"},
		{"POST", "/commit", `{"keys":[{"key":"a","idx":40000}]}`, "INVALID_BODY", "idx"},
		{"POST", "/commit", `{"keys":[{"key":"` + strings.Repeat("k", kv.MaxKeyBytes+1) + `"}]}`, "KEY_TOO_LONG", "1000"},
		{"POST", "/commit", `{"keys":[` + strings.Repeat(`{},`, kv.MaxCommitRows+kv.MaxCommitKeys) + `{}]}`, "TOO_MANY_RECORDS", "10101 elements; at most 10100"},
		{"POST", "/commit", fmt.Sprintf(tooMany, numbers...), "TOO_MANY_KEYS", "100"},
		{"GET", "/iter/a?limit=-1", "", "INVALID_PARAMETER", "0 to 10000"},
		{"GET", "/iter/a?limit=10001", "", "INVALID_PARAMETER", "0 to 10000"},
		{"GET", "/iter/a?prefix=1", "", "INVALID_PARAMETER", "prefix"},
		{"GET", "/iter/a?inclusive=", "", "INVALID_PARAMETER", "inclusive"},
		{"GET", "/iter/a?include_data=no", "", "INVALID_PARAMETER", "include_data"},
		{"GET", "/iter/a?cursor=", "", "INVALID_CURSOR", "Link"},
		{"GET", "/iter/a?cursor=*", "", "INVALID_CURSOR", "Link"},
		{"GET", "/iter/a?cursor=AAD_", "", "INVALID_CURSOR", "Link"},
	} {
		r.refused(t, c.method, c.target, c.body, c.id, c.says)
	}
	r.want(t, "POST", "/commit", `{"keys":[]}`, 200, `{"keys":[]}`)
}

func TestRefusalsOfCallersAreEmpty(t *testing.T) {
	r := newRig(t)
	all := []struct{ method, target, body string }{
		{"GET", "/key/a", ""},
		{"PUT", "/key/a", `{"data":1}`},
		{"DELETE", "/key/a", ""},
		{"PUT", "/cas/key/a", `{"data":1}`},
		{"GET", "/count/key/a", ""},
		{"GET", "/size/key/a", ""},
		{"GET", "/iter/a", ""},
		{"POST", "/commit", `{"keys":[]}`},
	}
	writeOnly, readOnly, key := member(), member(), member()
	writeOnly.Capabilities, readOnly.Capabilities = access.Set{access.KVStoreWrite}, access.Set{access.KVStoreRead}
	key.Kind = access.KindAPIKey
	for i, c := range all {
		for _, installation := range []string{"2", "01", "1%20", "abc", "%2E%2E", "1%2F1"} {
			r.want(t, c.method, strings.Replace(base, "kv/1", "kv/"+installation, 1)+c.target, c.body, 403, "")
		}
		r.as(key).want(t, c.method, c.target, c.body, 403, "")
		r.as(nil).want(t, c.method, c.target, c.body, 403, "")
		r.as(member(access.Installation("2"))).want(t, c.method, c.target, c.body, 403, "")
		r.as(member(access.VCS("gitlab"))).want(t, c.method, c.target, c.body, 403, "")
		if reads := i != 1 && i != 7; reads {
			r.as(writeOnly).want(t, c.method, c.target, c.body, 403, "")
		}
		if writes := c.method != http.MethodGet; writes {
			r.as(readOnly).want(t, c.method, c.target, c.body, 403, "")
		}
	}
	r.want(t, "GET", "/api/v1/bitbucket/kv/1/key/a", "", 404, "")
	r.want(t, "POST", "/key/a", "", 404, "")
	r.want(t, "GET", "/other/a", "", 404, "")
}
