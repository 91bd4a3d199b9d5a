module mapscope/bench/map

go 1.19
