// 3mm of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what 3mm.tc is held against.
#ifndef NI
#define NI 800
#endif
#ifndef NJ
#define NJ 900
#endif
#ifndef NK
#define NK 1000
#endif
#ifndef NL
#define NL 1100
#endif
#ifndef NM
#define NM 1200
#endif

void mm3(double E[NI][NJ], double A[NI][NK], double B[NK][NJ], double F[NJ][NL], double C[NJ][NM], double D[NM][NL], double G[NI][NL]) {
  for (int i = 0; i < NI; i++)
    for (int j = 0; j < NJ; j++) {
      E[i][j] = 0;
      for (int k = 0; k < NK; k++) E[i][j] += A[i][k] * B[k][j];
    }
  for (int j = 0; j < NJ; j++)
    for (int l = 0; l < NL; l++) {
      F[j][l] = 0;
      for (int m = 0; m < NM; m++) F[j][l] += C[j][m] * D[m][l];
    }
  for (int i = 0; i < NI; i++)
    for (int l = 0; l < NL; l++) {
      G[i][l] = 0;
      for (int j = 0; j < NJ; j++) G[i][l] += E[i][j] * F[j][l];
    }
}
