// doitgen of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what doitgen.tc is held against.
#ifndef NQ
#define NQ 140
#endif
#ifndef NR
#define NR 150
#endif
#ifndef NP
#define NP 160
#endif

void doitgen(double A[NR][NQ][NP], double C4[NP][NP], double sum[NP]) {
  for (int r = 0; r < NR; r++)
    for (int q = 0; q < NQ; q++) {
      for (int s = 0; s < NP; s++) {
        sum[s] = 0;
        for (int p = 0; p < NP; p++) sum[s] += A[r][q][p] * C4[p][s];
      }
      for (int s = 0; s < NP; s++) A[r][q][s] = sum[s];
    }
}
