// Package connect takes the programs to a NATS server: the flags that say where
// it is and who we are, and errors that say what to do about a server that is
// not there or does not let us in. Passwords are never printed.
package connect
