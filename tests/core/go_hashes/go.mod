module gohashes

go 1.19
