package connect

import (
	"regexp"

	"zasync/cmd/internal/cmdline"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v2"
)

// Options say which server to use and how to be let in. The zero Options are
// the server on this machine, which lets everybody in.
type Options struct {
	Server    string // one URL or several, with commas
	Creds     string // file of a user's JWT and key
	NKey      string // file of a key's seed
	User      string
	Password  string
	Token     string
	TLSCert   string
	TLSKey    string
	TLSCA     string
	Inbox     string // how the subjects of our answers begin; "" is as for everybody
	Namespace string // of the queue; "" is the default one
	Domain    string // of the JetStream that it lives in; "" is the server's own
	Remake    bool   // streams that somebody has deleted
}

const category = "Connection"

// The environment variables are those of the nats tool.

// Flags are the flags of Options.
func Flags() []cli.Flag {
	return []cli.Flag{
		text("server", "NATS server `URL`", "NATS_URL", nats.DefaultURL),
		text("creds", "`FILE` with the user's credentials", "NATS_CREDS", ""),
		text("nkey", "`FILE` with the seed of the user's key", "NATS_NKEY", ""),
		text("user", "user `NAME`", "NATS_USER", ""),
		text("password", "`PASSWORD` of the user", "NATS_PASSWORD", ""),
		text("token", "access `TOKEN`", "NATS_TOKEN", ""),
		text("tlscert", "`FILE` with our certificate", "NATS_CERT", ""),
		text("tlskey", "`FILE` with the key of our certificate", "NATS_KEY", ""),
		text("tlsca", "`FILE` with the authorities to trust", "NATS_CA", ""),
		text("inbox-prefix", "`PREFIX` of our inbox, if we have one of our own", "NATS_INBOX_PREFIX", ""),
		NamespaceFlag(),
		text("js-domain", "JetStream `DOMAIN` of the installation, if it is not on the server that we connect to", "ZASYNC_JS_DOMAIN", ""),
	}
}

// NamespaceFlag is the one flag of Flags for a program that brings its server.
func NamespaceFlag() cli.Flag {
	return text("namespace", "`NAME` of the installation, of several on one server", "ZASYNC_NAMESPACE", "zasync")
}

// RemakeFlag is for programs that make streams.
func RemakeFlag() cli.Flag {
	return &cli.BoolFlag{Name: "remake", Usage: "make streams anew, empty, that somebody has deleted; what was in them is lost", Category: category}
}

func text(name, usage, variable, value string) cli.Flag {
	return &cli.StringFlag{Name: name, Usage: usage, EnvVars: []string{variable}, Value: value, Category: category}
}

var domainRule = regexp.MustCompile(`^[^\s.*>]*$`)

var namespaceRule = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// ReadNamespace reads the value of NamespaceFlag. What cannot be one is a
// mistake in the command line, which needs no server to be found.
func ReadNamespace(c *cli.Context) (string, error) {
	name := c.String("namespace")
	if name != "" && !namespaceRule.MatchString(name) {
		return "", cmdline.Usagef("--namespace %q must be 1 to 32 letters, digits, \"_\" and \"-\"", name)
	}
	return name, nil
}

// FromFlags reads the values of Flags.
func FromFlags(c *cli.Context) (Options, error) {
	namespace, err := ReadNamespace(c)
	if domain := c.String("js-domain"); err == nil && !domainRule.MatchString(domain) {
		err = cmdline.Usagef("--js-domain %q must be without blanks, \".\", \"*\" and \">\"", domain)
	}
	return Options{
		Server: c.String("server"), Creds: c.String("creds"), NKey: c.String("nkey"),
		User: c.String("user"), Password: c.String("password"), Token: c.String("token"),
		TLSCert: c.String("tlscert"), TLSKey: c.String("tlskey"), TLSCA: c.String("tlsca"),
		Inbox: c.String("inbox-prefix"), Namespace: namespace, Domain: c.String("js-domain"),
	}, err
}
