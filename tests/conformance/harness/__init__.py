"""What the groups are written with: a raw client, a scripted raw upstream, the proxies, and the runner."""
