package connect

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// throwaway gives a certificate for this machine, and the file with the
// authority that it comes from: itself.
func throwaway(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestServerIsTrustedByItsAuthorityOnly(t *testing.T) {
	certificate, ca := throwaway(t)
	url := startPlain(t, server.Options{
		TLS: true, TLSTimeout: 30, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		JetStream: true, StoreDir: t.TempDir(),
	})
	s, err := Options{Server: url, TLSCA: ca}.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	_, other := throwaway(t)
	for _, o := range []Options{{Server: url}, {Server: url, TLSCA: other}} {
		s, err := o.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
		if err == nil {
			s.Close()
			t.Fatal("an unknown certificate was trusted")
		}
		if !strings.Contains(err.Error(), "is not trusted") || !strings.Contains(err.Error(), "--tlsca") {
			t.Errorf("got %q", err)
		}
	}
}
