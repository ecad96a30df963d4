// mvt of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what mvt.tc is held against.
#ifndef N
#define N 2000
#endif

void mvt(double x1[N], double x2[N], double y1[N], double y2[N], double A[N][N]) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) x1[i] = x1[i] + A[i][j] * y1[j];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) x2[i] = x2[i] + A[j][i] * y2[j];
}
