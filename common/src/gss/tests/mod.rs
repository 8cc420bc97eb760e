mod exchange;
mod mit_peer;
