// 2mm of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what 2mm.tc is held against.
#ifndef NI
#define NI 800
#endif
#ifndef NJ
#define NJ 900
#endif
#ifndef NK
#define NK 1100
#endif
#ifndef NL
#define NL 1200
#endif

void mm2(double alpha, double beta, double tmp[NI][NJ], double A[NI][NK], double B[NK][NJ], double C[NJ][NL], double D[NI][NL]) {
  for (int i = 0; i < NI; i++)
    for (int j = 0; j < NJ; j++) {
      tmp[i][j] = 0;
      for (int k = 0; k < NK; k++) tmp[i][j] += alpha * A[i][k] * B[k][j];
    }
  for (int i = 0; i < NI; i++)
    for (int l = 0; l < NL; l++) {
      D[i][l] *= beta;
      for (int j = 0; j < NJ; j++) D[i][l] += tmp[i][j] * C[j][l];
    }
}
